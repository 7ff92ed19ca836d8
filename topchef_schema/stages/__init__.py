"""The four things one can do with a plan and a database: plan, record, apply, observe."""
