//! A sink for the tests of this folder: keeps everything it is told.

use std::net::IpAddr;

use crate::{Field, LearnedFrom, Sink};

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) fields: Vec<(Field, Vec<u8>)>,
    pub(crate) learned: Vec<(IpAddr, String, LearnedFrom)>,
}

impl Kept {
    pub(crate) fn raw(&self, field: Field) -> Vec<Vec<u8>> {
        self.fields.iter().filter(|(f, _)| *f == field).map(|(_, v)| v.clone()).collect()
    }

    /// What was told under `field`, in order.
    pub(crate) fn values(&self, field: Field) -> Vec<String> {
        self.raw(field).iter().map(|v| String::from_utf8_lossy(v).into_owned()).collect()
    }
}

impl Sink for Kept {
    fn field(&mut self, field: Field, value: &[u8]) {
        self.fields.push((field, value.to_vec()));
    }

    fn learned(&mut self, address: IpAddr, name: &[u8], from: LearnedFrom) {
        self.learned.push((address, String::from_utf8_lossy(name).into_owned(), from));
    }
}
