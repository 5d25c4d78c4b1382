//! The release: what a client asks for.
