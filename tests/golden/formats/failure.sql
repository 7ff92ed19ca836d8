error: it failed
where: a.py:3
 help: try again
