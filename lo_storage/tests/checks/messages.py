def ids(messages):
    assert all(message.hint for message in messages)
    return [message.id for message in messages]
