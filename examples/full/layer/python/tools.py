"""What several functions share."""


def name_of(event):
    return ", ".join(sorted(event)) or "nothing"
