import { MemoryBroker } from '../../../lib/index.ts'
import { brokerContract } from '../../contracts/broker.ts'
import { controllerContract } from '../../contracts/controller.ts'
import { presenceContract } from '../../contracts/presence.ts'

brokerContract('MemoryBroker', () => new MemoryBroker())
presenceContract('the presence of MemoryBroker', () => new MemoryBroker().presence)
controllerContract('the controller of MemoryBroker', () => new MemoryBroker().controller)
