# One image and what runs it. The consumer names the id, so it changes after the copy and before the old image goes.
# terraform_data stands in for the consumer, like aws_ecs_task_definition.

terraform {
  required_version = ">= 1.5"
}

variable "source_image" {
  description = "Where the image comes from."
  type        = string
}

variable "destination_image" {
  description = "Where it goes, like `127.0.0.1:5000/app:1.0`."
  type        = string
}

module "app" {
  source = "../.."

  source_image      = var.source_image
  destination_image = var.destination_image
}

resource "terraform_data" "consumer" {
  triggers_replace = module.app.id

  lifecycle {
    create_before_destroy = true
  }
}

output "id" {
  value = module.app.id
}
