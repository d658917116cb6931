package wire

import "time"

const (
	// MaxHosts of a Net: there is a link for each ordered pair, and the last octets
	// up to this one are theirs.
	MaxHosts = 50
	// outsideOctet ends the address of the outside.
	outsideOctet = 254
	// blocks of 256 addresses are in 198.18.0.0/15.
	blocks = 512
	// MaxDelay of a link: what is longer is as good as cut for any protocol.
	MaxDelay = 10 * time.Second
	// queuePackets wait on one link; what comes above is lost, as in a router whose
	// buffers are full. At 1,500 bytes and 200 ms this is some 120 MB/s.
	queuePackets = 16_384
	// deviceQueue packets wait in a device until they are read here: enough for
	// windows of a few connections while this process does not get its turn.
	deviceQueue = 10_000
	// mtu of the devices is Ethernet's, so that losing a share of packets means what
	// it does elsewhere.
	mtu = 1500
	// packetBytes hold any packet of the devices.
	packetBytes = 2048
)
