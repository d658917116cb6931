// Package lastcopy decides how a group that is set to go on serving down to its last
// copy does so: which copies that are away are replaced by witnesses, on which nodes,
// and when witnesses go again (patent paragraphs 35 and 36).
//
// Next looks at a group as it is, and names the one step that is due. It is a pure
// function: who asks passes what is known and how long each copy has been silent,
// takes the step, and asks again when that is done. So a step that was taken and
// forgotten is named again, and a new primary goes on where the last one was.
//
// # What is counted
//
// A group has copies that vote, copies that are away (replaced; their nodes may come
// back), and witnesses. It has a witness for each copy that is away, and one more where
// that makes the number of voters odd: an even number survives the loss of no more of
// them, and a group of two copies could not even take the first out.
//
//	3 copies          A B C        any one may be lost
//	C is replaced     A B w        any one may be lost
//	B is replaced     A w w        either witness may be lost; A takes updates alone
//	B comes back      A w w (B)    B follows without a vote, then votes:
//	                  A B w        and one witness goes
//
// # What is promised
//
// An update is acknowledged when a majority of the voters has it, whatever they are.
//
//   - With n copies and no witness, on a majority of the copies.
//   - With copies and witnesses, on at least one copy, and on every one that keeps up
//     (package txlog holds witnesses back for them), so that the loss of any one of two
//     copies loses nothing that was acknowledged before it fell behind.
//   - With one copy, on that copy alone: status says durability: 1 copy.
//
// A copy is replaced by a decision of the majority, which has all that was acknowledged,
// so nothing is lost by it; a witness gives its vote to no copy that lacks an entry that
// it has acknowledged. While the copies stay, or come back with their disks, nothing
// acknowledged is lost, in whatever order they are away. What a copy has that was
// replaced is kept aside on its node.
//
// Where more than half of the voters are lost at once, nothing can be decided, and the
// group takes no updates until enough of them are back, or an operator has it recovered
// (lockstep group recover), which may lose what only the lost ones had. The same holds
// where the last copy is lost: witnesses have no data, and elect nobody.
package lastcopy
