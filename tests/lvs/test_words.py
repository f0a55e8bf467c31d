from cluster.lvs.words import from_json, say


def test_a_sentence_is_its_message_with_its_values():
    assert str(say("Bind {vip} to {device}", vip="10.0.1.31", device="eth0")) == (
        "Bind 10.0.1.31 to eth0"
    )


def test_a_sentence_survives_json_and_speaks_another_language():
    inner = say("round robin")
    sentence = say("Add {what}, weight {weight}", what=inner, weight=3)
    words = {
        "round robin": "轮询",
        "Add {what}, weight {weight}": "添加 {what} 权重 {weight}",
    }
    again = from_json(sentence.as_json())
    assert again == sentence
    assert again.translated(lambda text: words[text]) == "添加 轮询 权重 3"


def test_braces_in_a_value_are_only_text():
    assert str(say("{said}", said="{0.__class__} {x}")) == "{0.__class__} {x}"
