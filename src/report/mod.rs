//! Result structs as files and tables.
