import { MemoryBroker } from '../../../lib/index.ts'
import { presenceContract } from '../../contracts/presence.ts'

describe('MemoryBroker.presence', () => {
  presenceContract({ describe, it, beforeEach, afterEach }, () => new MemoryBroker().presence)
})
