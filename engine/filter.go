package engine

// keyFilter tells of most clients' keys that are not in a bucket that they are
// not, without asking the store: nearly every key is new. It is a Bloom filter
// in blocks of one cache line (Putze, Sanders, Singler: Cache-, Hash- and
// Space-Efficient Bloom Filters, 2007), which grows by layers. It is no state:
// what it says decides how often the store is asked, and nothing else.
type keyFilter struct {
	layers   []filterLayer
	complete bool   // every key of the bucket is in it
	cursor   []byte // of an incomplete one: the key from which on the bucket was not read yet
}

type filterLayer struct {
	blocks []filterBlock
	room   int // keys that it can still take
}

type filterBlock [8]uint64

const (
	filterFirstKeys = 1 << 14 // of the first layer; each further one is four times as large
	filterGrowth    = 4
	filterBits      = 12 // bits a key: about 0.5 % of false positives in blocks
	filterProbes    = 6
	blockBits       = 512
	// filterWarmKeys is how many keys of a bucket from before the start are read
	// at a commit: some 2 ms, until all are.
	filterWarmKeys = 4096
)

// hashKey is FNV-1a with a finish that spreads it over all bits.
func hashKey(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

func (f *keyFilter) add(hash uint64) {
	last := len(f.layers) - 1
	if last < 0 || f.layers[last].room == 0 {
		keys := filterFirstKeys
		for range f.layers {
			keys *= filterGrowth
		}
		f.layers = append(f.layers, filterLayer{blocks: make([]filterBlock, keys*filterBits/blockBits), room: keys})
		last++
	}
	l := &f.layers[last]
	l.room--
	b := &l.blocks[hash>>32%uint64(len(l.blocks))]
	for i, h := 0, hash; i < filterProbes; i, h = i+1, h*0x9e3779b97f4a7c15 {
		bit := h >> 55
		b[bit/64] |= 1 << (bit % 64)
	}
}

// may tells whether the key can be in the bucket.
func (f *keyFilter) may(hash uint64) bool {
	if !f.complete {
		return true
	}
	return f.has(hash)
}

// note adds a key that may have been added before, as a row that is written again
// and again: the filter does not grow by it.
func (f *keyFilter) note(hash uint64) {
	if !f.has(hash) {
		f.add(hash)
	}
}

func (f *keyFilter) has(hash uint64) bool {
	for i := range f.layers {
		if f.layers[i].may(hash) {
			return true
		}
	}
	return false
}

func (l *filterLayer) may(hash uint64) bool {
	b := &l.blocks[hash>>32%uint64(len(l.blocks))]
	for i, h := 0, hash; i < filterProbes; i, h = i+1, h*0x9e3779b97f4a7c15 {
		bit := h >> 55
		if b[bit/64]>>(bit%64)&1 == 0 {
			return false
		}
	}
	return true
}

// keyFilters are the filters of the buckets, parallel to them.
type keyFilters struct {
	byBucket map[uint32]*keyFilter
	cold     []uint32 // buckets from before the start that are not wholly read yet
}

func (k *keyFilters) init(buckets []bucket) {
	k.byBucket = map[uint32]*keyFilter{}
	k.cold = nil
	for _, b := range buckets {
		k.byBucket[b.id] = &keyFilter{cursor: clientKeys(b.id)}
		k.cold = append(k.cold, b.id)
	}
}

// of returns a bucket's filter; that of a new bucket is complete from its start.
func (k *keyFilters) of(id uint32) *keyFilter {
	f := k.byBucket[id]
	if f == nil {
		f = &keyFilter{complete: true}
		k.byBucket[id] = f
	}
	return f
}

func (k *keyFilters) drop(id uint32) { delete(k.byBucket, id) }

// sliceBytes is the length of a slice's number within an outcome's key.
const sliceBytes = 4

// clientKeys is the first key of a bucket's outcomes under clients' keys.
func clientKeys(id uint32) []byte { return append(prefixKey(spaceOutcomes, id), idClient) }

// warm reads some more keys of a bucket from before the start.
func (k *keyFilters) warm(r Reader) error {
	if len(k.cold) == 0 {
		return nil
	}
	id := k.cold[0]
	f := k.byBucket[id]
	if f == nil { // dropped meanwhile
		k.cold = k.cold[1:]
		return nil
	}
	start := clientKeys(id)
	err := f.read(r, start, func(key []byte) uint64 { return hashKey(string(key[len(start)+sliceBytes:])) })
	if f.complete {
		k.cold = k.cold[1:]
	}
	return err
}

// read reads some more of the keys with a prefix into an incomplete filter.
func (f *keyFilter) read(r Reader, prefix []byte, hash func(key []byte) uint64) error {
	if f.cursor == nil {
		f.cursor = prefix
	}
	it := r.NewIter(f.cursor, prefixEnd(prefix))
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n > filterWarmKeys {
			f.cursor = append([]byte(nil), it.Key()...)
			return closeWith(it, it.Err())
		}
		f.add(hash(it.Key()))
	}
	if err := closeWith(it, it.Err()); err != nil {
		return err
	}
	f.complete, f.cursor = true, nil
	return nil
}
