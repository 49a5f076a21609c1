//! The checklist of SCIM requirements, row by row, over HTTP. A test is named after its row; what the row says is in
//! `conformance/scim/rows.toml`. All of them share one server on each kind of database, and each has a partner,
//! directories and connections of its own.
mod discovery;
mod errors;
mod ground;
mod modes;
mod paging;
mod patch;
mod query;
mod resources;
mod schema;
mod writes;

use ground::{ENTERPRISE, GROUP, PATCH, Stand, USER, rows, strings};

/// How many tests share a server: the last one takes it down.
const TESTS: usize = discovery::TESTS
    + errors::TESTS
    + modes::TESTS
    + patch::TESTS
    + paging::TESTS
    + query::TESTS
    + resources::TESTS
    + schema::TESTS
    + writes::TESTS;
