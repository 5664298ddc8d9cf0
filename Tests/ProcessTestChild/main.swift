// Without a role this program is an ordinary one that says so.
print("main ran")
