package peer

import "hash/crc32"

// crcTable returns the Castagnoli table, which has hardware support on common processors; making it anew costs
// one comparison, for the library keeps it.
func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, crcTable()) }

func updateChecksum(sum uint32, b []byte) uint32 { return crc32.Update(sum, crcTable(), b) }
