from ..loading import extended

AddVoucherView = extended("views.basket", "AddVoucherView")
