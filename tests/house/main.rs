//! What the files of the repository say about each other.
