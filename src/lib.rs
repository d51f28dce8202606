//! burlap
