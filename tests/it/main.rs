//! Integration tests, one binary. Each test of the store and of what stands on it runs on SQLite and on PostgreSQL.
mod app;
mod support;

mod apply;
mod edge_limits;
mod edge_server;
mod edge_tls;
mod house;
mod ldap_read;
mod ldap_sync;
mod login_flow;
mod login_hostile;
mod provision_groups;
mod provision_laws;
mod provision_races;
mod provision_search;
mod provision_users;
mod scim_bulk;
mod scim_groups;
mod scim_lists;
mod scim_users;
mod sealer;
mod store_faults;
mod store_open;
mod store_storm;
mod store_verbs;
mod worlds;
