variable "minimum_age" {
  description = "How old the image must be to be taken, like `72h` or `3d`. Empty takes any age."
  type        = string
  default     = ""
}

variable "minimum_age_new" {
  description = "Whether the image must be old enough if there is no mirror yet: `wait` (the plan fails) or `take`."
  type        = string
  default     = "wait"
}

variable "minimum_age_by_created" {
  description = "Whether what the image says of itself counts where nothing better tells its age."
  type        = bool
  default     = false
}

variable "ignore_age_for" {
  description = "Digests that are taken at any age, like that of a security fix."
  type        = list(string)
  default     = []
}
