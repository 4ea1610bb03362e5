from chargebus_ocppj.deviations import LISTED, Deviation, decode_deviations, encode_deviations, place


def test_deviations_travel_as_compact_json():
    header = encode_deviations([Deviation("unknown_value", "meterValue/0/sampledValue/2/unit", '"Hz"')])

    assert header == b'[{"kind":"unknown_value","path":"meterValue/0/sampledValue/2/unit","detail":"\\"Hz\\""}]'
    assert decode_deviations(header) == (Deviation("unknown_value", "meterValue/0/sampledValue/2/unit", '"Hz"'),)


def test_the_same_deviation_all_over_a_list_is_told_of_once():
    told = [Deviation("unknown_value", f"meterValue/{n}/sampledValue/0/unit", '"Hz"') for n in range(500)]

    assert decode_deviations(encode_deviations(told)) == (told[0],)
    assert place(told[0].path) == "meterValue/*/sampledValue/*/unit"


def test_what_a_frame_tells_of_is_bounded_and_printable():
    told = [Deviation("extra_property", f"\0{'x' * 500}{n}", "\x1b" + "y" * 500) for n in range(500)]
    told += [Deviation("extra_property", f"member{n}", "") for n in range(500)]

    header = encode_deviations(told)

    assert len(decode_deviations(header)) == LISTED
    assert len(header) < 16 * 1024
    assert all((each.path + each.detail).isprintable() for each in decode_deviations(header))
