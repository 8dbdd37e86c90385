terraform {
  required_version = ">= 1.5" # check blocks, terraform_data, plantimestamp()

  required_providers {
    external = {
      source  = "hashicorp/external"
      version = ">= 2.3"
    }
  }
}
