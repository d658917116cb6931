package schematest

// pageRows is how many rows of a table are read at a time.
const pageRows = 1000
