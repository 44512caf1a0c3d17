import { BadRequestException, Body, Controller, HttpCode, Post } from '@nestjs/common'
import { Comet } from 'comet-sse'
import type { Events } from './events.js'

/** Any controller or service may publish. A real app checks who may do so, with a guard. */
@Controller('notice')
export class NoticeController {
  constructor(private readonly comet: Comet<Events>) {}

  @Post()
  @HttpCode(204)
  async post(@Body('text') text: unknown): Promise<void> {
    if (typeof text !== 'string' || text === '') throw new BadRequestException('text is missing')
    await this.comet.publish({ event: 'notice', data: { text } })
  }
}
