//! Golden texts of whole directories.
