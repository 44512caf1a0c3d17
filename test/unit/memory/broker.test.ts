import { MemoryBroker } from '../../../lib/index.ts'
import { brokerContract } from '../../contracts/broker.ts'

describe('MemoryBroker', () => {
  brokerContract({ describe, it, beforeEach, afterEach }, () => new MemoryBroker())
})
