.PHONY: lab lab-stop

lab: ## boot the lab: five LVS hosts with their own kernels
	lab/up

lab-stop: ## stop the lab; its disks are kept
	lab/stop
