//! Photos as network input.
