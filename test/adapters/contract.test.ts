import { adapters } from '../support/apps.ts'
import { httpContract } from './contract.ts'
import '../support/process-guard.ts'

for (const adapter of adapters) httpContract(adapter)
