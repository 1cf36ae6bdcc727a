"""The course's two mini-projects (EE-559) and the studies of its reports."""
