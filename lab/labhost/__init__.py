"""The lab: LVS hosts with their own kernels, as processes of this machine.

Standard library only, because the lab starts before any virtual environment exists.
"""
