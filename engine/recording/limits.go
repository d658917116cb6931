package recording

// Bounds of a recording. The reader holds every input to them.
const (
	// blockBytes of records close a block: large enough for zstd to find what
	// repeats, small enough that what is under way is soon on its way.
	blockBytes = 256 << 10
	// MaxEntryBytes is the largest entry that a log can hold.
	MaxEntryBytes = 16 << 20
	// maxRecordBytes is the largest record: an entry with its index.
	maxRecordBytes = MaxEntryBytes + 16
	// maxPlainBytes is the largest block: one record short of being closed, and the
	// largest after it.
	maxPlainBytes = blockBytes + maxRecordBytes + 16
	// maxStoredBytes is the largest block in the file: zstd adds three bytes to each
	// 128 KiB that it can't make smaller, and its own head and end.
	maxStoredBytes = maxPlainBytes + maxPlainBytes>>15 + 64
	// chunkBytes of a state go into one record.
	chunkBytes = 64 << 10
	// maxTextBytes bounds names and reasons.
	maxTextBytes = 4 << 10
	// windowBytes is how far back zstd looks: more than a block seldom helps.
	windowBytes = 1 << 20
)
