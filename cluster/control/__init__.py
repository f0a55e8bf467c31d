"""Where the database and a Shell meet: observe, plan, apply, verify, undo.

Everything here is called by a task or a management command and gets its shells from
there; nothing here is called by a view.
"""
