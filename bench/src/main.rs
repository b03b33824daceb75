//! Measures the product and prints JSON.

fn main() {}
