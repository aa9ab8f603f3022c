//! Headers to features: the bounded flow table; time is an argument.
