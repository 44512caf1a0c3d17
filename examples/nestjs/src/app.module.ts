import { Module } from '@nestjs/common'
import { Comet } from 'comet-sse'
import { createComet } from './comet.js'
import { LobbyService } from './lobby.service.js'
import { NoticeController } from './notice.controller.js'

@Module({
  controllers: [NoticeController],
  providers: [{ provide: Comet, useFactory: createComet }, LobbyService],
})
export class AppModule {}
