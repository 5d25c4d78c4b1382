//! The dashboard: one page that says what is deployed where, what runs, and what needs a person.
//!
//! [`Board`] is what it shows, [`gather`] reads it, [`page`] makes the page of it, [`machine`] the picture in it, [`serve`] shows it on this
//! machine. The page is one file: it asks nothing of anybody, and works without its script.

pub mod board;
pub mod gather;
pub mod html;
pub mod machine;
pub mod page;
pub mod serve;

pub use board::Board;
