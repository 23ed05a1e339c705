//! The rules of style that the compiler cannot check.
