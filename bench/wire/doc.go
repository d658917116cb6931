// Package wire gives processes of one machine a network of their own, and spoils it
// as it is told: cut links, one-way loss, delay.
//
// # One idea
//
// Each host is a network namespace with one device, and the other end of every
// device is in this process, which carries each packet from one to the other. What
// happens to a packet is decided for each pair of hosts and each direction, at any
// time, by the Condition of its link. So nothing stands between a fault and its
// description: "nobody hears host 1" is one condition on each link that leads away
// from it.
//
//	host 1 (namespace) ─ tun ┐            ┌ tun ─ host 2 (namespace)
//	                         ├─ switch ───┤
//	outside (our own)  ─ tun ┘  links     └ tun ─ host 3 (namespace)
//
// Outside is the namespace that this process itself is in, where the clients are.
//
// # Why no bridge and no netem
//
// Bridges, veth pairs and named namespaces outlive a process that is killed. What
// is made here belongs to open files: devices go when this process closes them, and
// a namespace with its last process, however this one ends. Delay and loss by tc
// need the kernel's netem, which kernels made for virtual machines often leave out,
// and tc spoils a device, not a pair of hosts. The price is a copy of each packet
// and two system calls, some tens of microseconds on a busy machine.
//
// # How data flows
//
// A goroutine a device reads packets (IPv4), finds the link by the last octet of
// the address, and writes to the other device at once, or puts a copy into the
// link's queue, from which a goroutine takes it when its time has come. Packets of a
// link stay in order. Addresses are of 198.18.0.0/15, which RFC 2544 sets apart for
// such work: a block of 256 a Net, claimed by the name of the device outside.
//
// # What it needs
//
// Linux, /dev/net/tun, and the right to make namespaces: root, or a user namespace
// (unshare --user --map-root-user --net), if it may open
// /dev/net/tun. Where something is missing, Open fails with
// ErrUnavailable, the reason and the remedy.
//
// # What it never does
//
// It changes no device, route or filter that it did not make.
package wire
