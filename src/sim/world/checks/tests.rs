//! Each checker on evidence made by hand.
