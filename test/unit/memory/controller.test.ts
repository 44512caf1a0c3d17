import { MemoryBroker } from '../../../lib/index.ts'
import { controllerContract } from '../../contracts/controller.ts'

describe('MemoryBroker.controller', () => {
  controllerContract({ describe, it, beforeEach, afterEach }, () => new MemoryBroker().controller)
})
