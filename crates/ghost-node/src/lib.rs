//! The one place that joins the stages: config, limits, queues, import, facade.
