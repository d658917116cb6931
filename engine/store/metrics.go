package store

import "fmt"

// Metrics are a store's sizes and counts, of now.
type Metrics struct {
	DiskBytes         uint64 // files of the present contents
	MemTableBytes     uint64 // write buffers in memory
	CacheBytes        int64  // block cache, shared by all stores that use it
	CacheHits         int64
	CacheMisses       int64
	L0Sublevels       int    // how many tables a read in level 0 may look into
	ReadAmplification int    // the same for all levels
	CompactionDebt    uint64 // bytes still to be compacted
	Compactions       int64
	Flushes           int64
	Snapshots         int // open
	TableBytes        uint64
	Tables            int64
}

// Metrics returns the store's sizes; zeros when it is closed. It takes tens of
// microseconds: for a scrape, not for a request.
func (s *Store) Metrics() Metrics {
	c, err := s.enter()
	if err != nil {
		return Metrics{}
	}
	defer c.leave()
	m := c.db.Metrics()
	total := m.Total()
	return Metrics{
		DiskBytes:         m.DiskSpaceUsage(),
		MemTableBytes:     m.MemTable.Size,
		CacheBytes:        m.BlockCache.Size,
		CacheHits:         m.BlockCache.Hits,
		CacheMisses:       m.BlockCache.Misses,
		L0Sublevels:       int(m.Levels[0].Sublevels),
		ReadAmplification: m.ReadAmp(),
		CompactionDebt:    m.Compact.EstimatedDebt,
		Compactions:       m.Compact.Count,
		Flushes:           m.Flush.Count,
		Snapshots:         m.Snapshots.Count,
		TableBytes:        uint64(total.TablesSize),
		Tables:            total.TablesCount,
	}
}

// Usage is the state of the disk that a store is on, in bytes.
type Usage struct{ Total, Used, Available uint64 }

// DiskUsage asks the file system how full it is: writes must be refused before
// it is full, and a recovery needs room for both the old contents and the new.
func (s *Store) DiskUsage() (Usage, error) {
	u, err := s.opt.FS.GetDiskUsage(s.opt.Dir)
	if err != nil {
		return Usage{}, fmt.Errorf("store %s: disk usage: %w", s.opt.Dir, err)
	}
	return Usage{Total: u.TotalBytes, Used: u.UsedBytes, Available: u.AvailBytes}, nil
}
