//! Features over windows to behaviours, roles, zones and brands.
