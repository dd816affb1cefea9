"""Discord's limits, all of them. Lengths are in characters.

Sources: Discord's documentation and discord.py 2.7.1. Most of them fail only when Discord refuses
the message, so everything that we send is fitted to them beforehand.
"""

from __future__ import annotations

# Messages
MESSAGE_MAX = 2000
NONCE_MAX = 25

# Messages in Components V2
COMPONENTS_MAX = 40  # nested ones count
LAYOUT_TEXT_MAX = 4000  # all texts together

# Buttons and selects
CUSTOM_ID_MAX = 100  # of modals and of a select's options, too
PLACEHOLDER_MAX = 150
BUTTON_LABEL_MAX = 80
BUTTONS_A_ROW = 5

# Modals
MODAL_TITLE_MAX = 45
PAGE_TITLE_MAX = (
    40  # of a page of settings; its modal says at least the beginning of the bot's name
)
INPUTS_A_MODAL = 5
INPUT_LABEL_MAX = 45
INPUT_HINT_MAX = 100  # placeholder or description
INPUT_VALUE_MAX = 4000
OPTION_MAX = 100  # one option of a select
OPTIONS_MAX = 25

# Suggestions while somebody types
CHOICE_MAX = 100
CHOICES_MAX = 25

# Times
FIRST_ANSWER_SECONDS = 3.0  # later ones are refused
