//! What is asked of controllers: functions of Modbus, DNP3, S7, CIP, IEC 104 and BACnet, where
//! reading and writing have different names.

use super::talk::{advance, skipped};
use super::{Memo, View, be16, le16};
use crate::{Sink, fields};

fn tell(name: &str, sink: &mut dyn Sink) {
    if !name.is_empty() {
        sink.field(fields::COMMAND, name.as_bytes());
    }
}

/// Requests' function codes, in the order of Modbus' own table.
pub(super) fn modbus(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    let side = v.side();
    let mut data = skipped(v, memo);
    while data.len() >= 8 && be16(data, 2) == 0 {
        let function = data[7];
        if v.to_server() && memo.first(u32::from(function & 0x3f)) {
            tell(
                match function {
                    1 => "read_coils",
                    2 => "read_discrete_inputs",
                    3 => "read_holding_registers",
                    4 => "read_input_registers",
                    5 => "write_single_coil",
                    6 => "write_single_register",
                    7 => "read_exception_status",
                    8 => "diagnostics",
                    11 => "read_event_counter",
                    12 => "read_event_log",
                    15 => "write_multiple_coils",
                    16 => "write_multiple_registers",
                    17 => "report_server_id",
                    20 => "read_file_record",
                    21 => "write_file_record",
                    22 => "mask_write_register",
                    23 => "read_write_multiple_registers",
                    24 => "read_fifo_queue",
                    43 => "read_device_identification",
                    90 => "program_controller",
                    _ => "",
                },
                sink,
            );
        }
        if !v.to_server() && function & 0x80 != 0 && memo.first(63) {
            tell("exception", sink);
        }
        data = advance(data, be16(data, 4) + 6, side, memo);
    }
}

pub(super) fn dnp3(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    // Link header of ten octets, transport octet, application control, function.
    if v.len() < 13 || !v.is(0, &[5, 0x64]) || v.u8(10) & 0x40 == 0 {
        return;
    }
    let function = v.u8(12);
    if memo.first(u32::from(function & 63)) {
        tell(
            match function {
                0 => "confirm",
                1 => "read",
                2 => "write",
                3 => "select",
                4 => "operate",
                5 => "direct_operate",
                6 => "direct_operate_no_response",
                7 | 8 => "freeze",
                13 => "cold_restart",
                14 => "warm_restart",
                15 => "initialize_data",
                16 => "initialize_application",
                17 => "start_application",
                18 => "stop_application",
                20 => "enable_unsolicited",
                21 => "disable_unsolicited",
                23 => "delay_measure",
                24 => "record_time",
                25 => "open_file",
                26 => "close_file",
                27 => "delete_file",
                129 => "response",
                130 => "unsolicited_response",
                _ => "",
            },
            sink,
        );
    }
}

pub(super) fn s7comm(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    let side = v.side();
    let mut data = skipped(v, memo);
    while data.len() >= 18 && data[0] == 3 && data[1] == 0 {
        // TPKT 4, COTP 3, then the S7 header: kind 1 is a job, 7 is user data.
        if data[5] == 0xf0 && data[7] == 0x32 {
            let (kind, function) = (data[8], data[17]);
            if kind == 1 && memo.first(u32::from(function & 63)) {
                tell(
                    match function {
                        0x00 => "cpu_services",
                        0x04 => "read_var",
                        0x05 => "write_var",
                        0x1a => "request_download",
                        0x1b => "download_block",
                        0x1c => "download_ended",
                        0x1d => "start_upload",
                        0x1e => "upload",
                        0x1f => "end_upload",
                        0x28 => "pi_service",
                        0x29 => "plc_stop",
                        0xf0 => "setup_communication",
                        _ => "",
                    },
                    sink,
                );
            } else if kind == 7 && memo.first(62) {
                tell("user_data", sink);
            }
        }
        data = advance(data, be16(data, 2).max(4), side, memo);
    }
}

pub(super) fn enip(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    if v.len() < 24 || !v.to_server() {
        return;
    }
    let command = le16(v.data, 0);
    let (bit, name) = match command {
        0x04 => (48, "list_services"),
        0x63 => (49, "list_identity"),
        0x64 => (50, "list_interfaces"),
        0x65 => (51, "register_session"),
        0x66 => (52, "unregister_session"),
        0x6f | 0x70 => (0, ""),
        _ => return,
    };
    if bit > 0 {
        if memo.first(bit) {
            tell(name, sink);
        }
        return;
    }
    // Interface handle, timeout, item count; an address item, then the data item with CIP in it.
    let mut at = 32;
    for _ in 0..le16(v.data, 30).min(4) {
        let (kind, len) = (le16(v.data, at), le16(v.data, at + 2));
        let body = at + 4 + if kind == 0xb1 { 2 } else { 0 };
        if matches!(kind, 0xb1 | 0xb2)
            && let Some(service) = v.data.get(body).copied()
            && service & 0x80 == 0
            && memo.first(u32::from(service) & 0x3f | if service == 0x4c { 32 } else { 0 })
        {
            tell(
                match service {
                    0x01 => "get_attributes_all",
                    0x02 => "set_attributes_all",
                    0x03 => "get_attribute_list",
                    0x04 => "set_attribute_list",
                    0x05 => "reset",
                    0x06 => "start",
                    0x07 => "stop",
                    0x08 => "create",
                    0x09 => "delete",
                    0x0a => "multiple_service",
                    0x0e => "get_attribute_single",
                    0x10 => "set_attribute_single",
                    0x4b => "execute_pccc",
                    0x4c => "read_tag",
                    0x4d => "write_tag",
                    0x4e => "forward_close",
                    0x52 => "read_tag_fragmented",
                    0x53 => "write_tag_fragmented",
                    0x54 => "forward_open",
                    0x55 => "get_instance_list",
                    _ => "",
                },
                sink,
            );
        }
        at += 4 + len;
    }
}

pub(super) fn iec104(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    let side = v.side();
    let mut data = skipped(v, memo);
    while data.len() >= 6 && data[0] == 0x68 {
        if data[2] & 1 == 0 && data.len() > 8 {
            let kind = data[6];
            let (bit, name) = match kind {
                1..=40 => (1, "monitor"),
                45 | 58 => (2, "single_command"),
                46 | 59 => (3, "double_command"),
                47 | 60 => (4, "step_command"),
                48..=50 | 61..=63 => (5, "set_point"),
                51 | 64 => (6, "bit_string"),
                70 => (7, "end_of_initialisation"),
                100 => (8, "interrogation"),
                101 => (9, "counter_interrogation"),
                102 => (10, "read"),
                103 => (11, "clock_synchronisation"),
                104 | 107 => (12, "test"),
                105 => (13, "reset_process"),
                110..=113 => (14, "parameter"),
                120..=127 => (15, "file_transfer"),
                _ => (0, ""),
            };
            if bit > 0 && memo.first(bit) {
                tell(name, sink);
            }
        } else if data[2] & 3 == 3 {
            let (bit, name) = match data[2] {
                0x07 => (20, "start_data_transfer"),
                0x13 => (21, "stop_data_transfer"),
                0x43 => (22, "test_frame"),
                _ => (0, ""),
            };
            if bit > 0 && memo.first(bit) {
                tell(name, sink);
            }
        }
        data = advance(data, usize::from(data[1]) + 2, side, memo);
    }
}

pub(super) fn bacnet(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    let mut at = match v.u8(1) {
        0x09..=0x0b => 4,
        0x04 => 10,
        _ => return,
    };
    let control = v.u8(at + 1);
    if v.u8(at) != 1 || control & 0x80 != 0 {
        return;
    }
    at += 2;
    if control & 0x20 != 0 {
        at += 3 + usize::from(v.u8(at + 2)) + 1;
    }
    if control & 0x08 != 0 {
        at += 3 + usize::from(v.u8(at + 2));
    }
    let (bit, name) = match (v.u8(at) >> 4, v.u8(at + 1), v.u8(at + 3)) {
        (1, 0, _) => (1, "i_am"),
        (1, 1, _) => (2, "i_have"),
        (1, 2, _) => (3, "cov_notification"),
        (1, 6, _) => (4, "time_synchronisation"),
        (1, 7, _) => (5, "who_has"),
        (1, 8, _) => (6, "who_is"),
        (0, _, 5) => (7, "subscribe_cov"),
        (0, _, 12) => (8, "read_property"),
        (0, _, 14) => (9, "read_property_multiple"),
        (0, _, 15) => (10, "write_property"),
        (0, _, 16) => (11, "write_property_multiple"),
        (0, _, 17) => (12, "device_control"),
        (0, _, 20) => (13, "reinitialize_device"),
        (0, _, 6) => (14, "read_file"),
        (0, _, 7) => (15, "write_file"),
        (0, _, 26) => (16, "read_range"),
        _ => return,
    };
    if memo.first(bit) {
        tell(name, sink);
    }
}
