package bench

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"
)

// transfers is the workload: money moved between accounts drawn at random. A
// document is a function of who sends it and of its number, so that any of them
// can be sent again, the same to the byte, without having been kept.
type transfers struct {
	run      string // stem of the run's account names and ids
	seed     uint64
	accounts int
}

// newTransfers makes a workload whose names no other run has used.
func newTransfers(seed uint64, accounts int) *transfers {
	return &transfers{run: hex.EncodeToString(binary.BigEndian.AppendUint32(nil, rand.Uint32())), seed: seed, accounts: accounts}
}

// total is the money there is.
func (t *transfers) total() int64 { return int64(t.accounts) * firstBalance }

// drawn is what a transfer does.
type drawn struct {
	from, to int
	amount   int64
}

// draw decides what the number-th transfer of a worker does. The accounts differ.
func (t *transfers) draw(worker, number int) drawn {
	x := mix(t.seed + mix(uint64(worker)<<40+uint64(number)))
	from := int(x % uint64(t.accounts))
	x = mix(x)
	to := int(x % uint64(t.accounts-1))
	if to >= from {
		to++
	}
	return drawn{from: from, to: to, amount: int64(mix(x)%maxAmount) + 1}
}

// mix is splitmix64: a bijection that scatters.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// appendID appends the id of a transfer.
func (t *transfers) appendID(dst []byte, worker, number int) []byte {
	dst = append(append(dst, t.run...), '-')
	dst = append(strconv.AppendInt(dst, int64(worker), 10), '-')
	return strconv.AppendInt(dst, int64(number), 10)
}

// parseID undoes appendID; ok is false where the id is not of this run.
func (t *transfers) parseID(id string) (worker, number int, ok bool) {
	rest, ok := strings.CutPrefix(id, t.run+"-")
	if !ok {
		return 0, 0, false
	}
	first, second, ok := strings.Cut(rest, "-")
	if !ok {
		return 0, 0, false
	}
	worker, errWorker := strconv.Atoi(first)
	number, errNumber := strconv.Atoi(second)
	return worker, number, errWorker == nil && errNumber == nil && worker >= 0 && number >= 0
}

// appendAccount appends the name of an account.
func (t *transfers) appendAccount(dst []byte, i int) []byte {
	dst = append(append(dst, t.run...), '-', 'a')
	return strconv.AppendInt(dst, int64(i), 10)
}

// parseAccount undoes appendAccount.
func (t *transfers) parseAccount(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, t.run+"-a")
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(rest)
	return i, err == nil && i >= 0 && i < t.accounts
}

// appendDocument appends a transfer's document, without an end of line.
func (t *transfers) appendDocument(dst []byte, worker, number int) []byte {
	d := t.draw(worker, number)
	dst = t.appendID(append(dst, `{"id":"`...), worker, number)
	dst = t.appendAccount(append(dst, `","procedure":"transfer","params":{"from":"`...), d.from)
	dst = t.appendAccount(append(dst, `","to":"`...), d.to)
	dst = strconv.AppendInt(append(dst, `","amount":`...), d.amount, 10)
	return append(dst, `}}`...)
}

// appendOpening appends the document that opens an account.
func (t *transfers) appendOpening(dst []byte, i int) []byte {
	dst = append(append(dst, `{"id":"`...), t.run...)
	dst = strconv.AppendInt(append(dst, `-open-`...), int64(i), 10)
	dst = t.appendAccount(append(dst, `","procedure":"open","params":{"id":"`...), i)
	dst = append(dst, `","owner":"bench","balance":`...)
	dst = strconv.AppendInt(dst, firstBalance, 10)
	return append(dst, `}}`...)
}
