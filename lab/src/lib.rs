//! A laboratory of network namespaces: hosts, bridges and traffic for tests, demo and benchmarks.
