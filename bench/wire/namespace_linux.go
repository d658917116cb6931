package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace, held by a file.
type namespace struct{ file *os.File }

func (s namespace) close() error { return s.file.Close() }

// insideName is what a host's device is called in its own namespace.
const insideName = "wire0"

// Open makes a network of so many hosts. Seed is of what is lost by chance.
func Open(hosts int, seed uint64) (*Net, error) {
	if hosts < 1 || hosts > MaxHosts {
		return nil, fmt.Errorf("%d hosts: must be 1 to %d", hosts, MaxHosts)
	}
	base, outside, err := openOutside()
	if err != nil {
		return nil, err
	}
	all := []*host{outside}
	for i := 1; i <= hosts; i++ {
		h, err := openHost(base, byte(i))
		if err != nil {
			for _, h := range all {
				err = errors.Join(err, h.close())
			}
			return nil, err
		}
		all = append(all, h)
	}
	return newNet(base, all, seed), nil
}

// openOutside claims a block of addresses in this process's own namespace, by a
// device of the block's name.
func openOutside() (base [3]byte, h *host, err error) {
	taken, err := present()
	if err != nil {
		return base, nil, err
	}
	space, err := ownNamespace()
	if err != nil {
		return base, nil, err
	}
	for i := range blocks {
		block := (os.Getpid() + i) % blocks
		base = [3]byte{198, byte(18 + block/256), byte(block % 256)}
		if taken[base] {
			continue
		}
		device, err := openDevice(fmt.Sprintf("lockstep%d", block), append(base[:], outsideOctet))
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EINVAL) {
			continue // another's
		}
		if err != nil {
			return base, nil, errors.Join(err, space.close())
		}
		return base, &host{device: device, space: space}, nil
	}
	return base, nil, errors.Join(fmt.Errorf("all %d blocks of 198.18.0.0/15 are in use here: end what has devices with such addresses", blocks), space.close())
}

// present are the blocks of addresses that devices here have.
func present() (map[[3]byte]bool, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("looking at this machine's addresses: %w", err)
	}
	taken := map[[3]byte]bool{}
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() {
			ip := prefix.Addr().As4()
			taken[[3]byte(ip[:3])] = true
		}
	}
	return taken, nil
}

// openHost makes a namespace with one device. It does so on a thread that ends
// with it.
func openHost(base [3]byte, last byte) (h *host, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: no other goroutine may find itself there
		h, err = enterHost(base, last)
	}()
	<-done
	return h, err
}

func enterHost(base [3]byte, last byte) (*host, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, unavailable("making a network namespace", err)
	}
	space, err := ownNamespace()
	if err != nil {
		return nil, err
	}
	if err := setUp("lo", nil); err != nil {
		return nil, errors.Join(err, space.close())
	}
	device, err := openDevice(insideName, append(base[:], last))
	if err != nil {
		return nil, errors.Join(err, space.close())
	}
	return &host{device: device, space: space}, nil
}

// ownNamespace is the one that this thread is in.
func ownNamespace() (namespace, error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return namespace{}, unavailable("opening this thread's network namespace", err)
	}
	return namespace{f}, nil
}

// openDevice makes a device with an address in this thread's namespace. It is gone
// when it is closed.
func openDevice(name string, address []byte) (*os.File, error) {
	const tun = "/dev/net/tun"
	fd, err := unix.Open(tun, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, unavailable("opening "+tun, err)
	}
	f := func() error {
		req, err := unix.NewIfreq(name)
		if err != nil {
			return fmt.Errorf("naming the device %s: %w", name, err)
		}
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			return unavailable("making the device "+name, err)
		}
		return setUp(name, address)
	}
	if err := f(); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), tun), nil
}

// setUp gives a device its address, if any, and switches it on.
func setUp(name string, address []byte) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	defer unix.Close(socket)
	set := func(request uint, fill func(*unix.Ifreq) error) error {
		req, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := fill(req); err != nil {
			return err
		}
		return unix.IoctlIfreq(socket, request, req)
	}
	number := func(n uint32) func(*unix.Ifreq) error {
		return func(r *unix.Ifreq) error { r.SetUint32(n); return nil }
	}
	if address != nil {
		err = errors.Join(
			set(unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(address) }),
			set(unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }),
			set(unix.SIOCSIFMTU, number(mtu)),
			set(unix.SIOCSIFTXQLEN, number(deviceQueue)),
		)
	}
	err = errors.Join(err, set(unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP); return nil }))
	if err != nil {
		return unavailable("setting up the device "+name, err)
	}
	return nil
}

// unavailable says what could not be done, and what to do about it.
func unavailable(what string, err error) error {
	remedy := ""
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		remedy = ": run it as root or, where everybody may open /dev/net/tun, by unshare --user --map-root-user --net; in a container, give it SYS_ADMIN and NET_ADMIN"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		remedy = ": load the kernel's module (modprobe tun); in a container, give it the device /dev/net/tun"
	}
	return fmt.Errorf("%w: %s: %w%s", ErrUnavailable, what, err, remedy)
}

// Within calls f on a thread that is in a host's namespace: sockets that it makes and
// processes that it starts are there.
func (n *Net) Within(host int, f func() error) error {
	back, err := ownNamespace()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := unix.Setns(int(n.hosts[host].space.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return errors.Join(unavailable("entering a network namespace", err), back.close())
	}
	failed := f()
	if err := unix.Setns(int(back.file.Fd()), unix.CLONE_NEWNET); err != nil {
		// The thread stays locked, and ends with this goroutine.
		return errors.Join(failed, fmt.Errorf("leaving a network namespace: %w", err), back.close())
	}
	runtime.UnlockOSThread()
	return errors.Join(failed, back.close())
}
