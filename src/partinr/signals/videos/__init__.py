"""Videos and animations: frames over time, in the containers of films and of pictures."""
