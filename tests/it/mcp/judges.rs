//! Programs that know nothing of us judge the server: the inspector, the Python client, and the
//! protocol's own conformance suite.
