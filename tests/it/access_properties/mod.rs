//! Random worlds. Three evaluators must agree on every question: the law (`access`), the same in SQL on either
//! database, and a naive one that shares nothing with them. Each feature of a world must matter somewhere.
mod agree;
mod feature;
pub mod generate;
mod laws;
mod lists;
mod load;
mod model;
mod naive;
mod plans;
