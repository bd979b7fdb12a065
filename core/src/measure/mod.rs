//! What measurements return: plain data.

pub mod defect_map;
pub mod direction;
pub mod field_report;
pub mod grouping;
pub mod inspection;
pub mod layer_graph;
pub mod layer_metrics;
pub mod layers_report;
pub mod lee_report;
pub mod metric_list;
pub mod metrics_report;
pub mod motion_field;
pub mod node_theorem_report;
pub mod orbit_report;
pub mod output;
pub mod representation_report;
pub mod run;
pub mod scalar;
pub mod tally;
